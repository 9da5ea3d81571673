"""`python -m scim_operator`, the same as `scim-operator`."""

from __future__ import annotations

import sys

from scim_operator.cli.main import main

sys.exit(main())
