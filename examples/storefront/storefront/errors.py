"""What the shop answers when it cannot do what was asked: a status, one sentence, and the field at fault."""


class ShopError(Exception):
    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field

    def body(self) -> dict[str, object]:
        error: dict[str, object] = {"status": self.status, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        return {"error": error}


class BadFieldError(ShopError):
    """One named field of the request breaks its rule."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(422, f"{field} must be {rule}", field)


class NotFoundError(ShopError):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(404, message, field)
