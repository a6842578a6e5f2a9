"""`python -m tocsin_recorder`."""

from tocsin_recorder.app import main

raise SystemExit(main())
