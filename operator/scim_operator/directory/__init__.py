"""People in memory, and the write-through store behind the SCIM endpoint. The API server is the truth."""
