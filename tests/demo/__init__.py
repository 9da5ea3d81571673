"""`python -m tests.demo`: a provisioning run of Microsoft Entra ID, played against the installed chart."""
