"""`python -m tocsin_detector`"""

from tocsin_detector.app import main

raise SystemExit(main())
