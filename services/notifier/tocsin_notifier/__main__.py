"""`python -m tocsin_notifier`"""

from tocsin_notifier.app import main

raise SystemExit(main())
