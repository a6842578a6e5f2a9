"""The health check of a container: exit status 0 if its service is ready, else 1 with the reasons.

The images have no curl. Only the standard library is used, so that asking costs little.
"""

import http.client
import os
import sys

TIMEOUT = 3.0
OK = 200


def main() -> int:
    """Ask `/readyz` on this container's own port."""
    port = int(os.environ.get("TOCSIN_HTTP_PORT", "8080"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = answer.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer on port {port}: {error!r}\n")
        return 1
    finally:
        connection.close()
    sys.stdout.write(f"{said}\n")
    return 0 if answer.status == OK else 1


if __name__ == "__main__":
    raise SystemExit(main())
