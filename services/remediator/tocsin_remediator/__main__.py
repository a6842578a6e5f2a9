"""`python -m tocsin_remediator`: the service as a process."""

from tocsin_remediator.app import main

raise SystemExit(main())
