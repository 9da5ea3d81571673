"""kopf handlers: each names what it reconciles. The only importer of kopf."""
