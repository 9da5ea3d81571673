"""The aiohttp application: SCIM over HTTP, and health. The only importer of aiohttp's server."""
