"""`python -m tocsin_escalator`"""

from tocsin_escalator.app import main

raise SystemExit(main())
