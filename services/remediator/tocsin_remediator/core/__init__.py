"""What the remediator thinks: pure functions over frozen data. `plan.next_move` is where a reader begins."""
