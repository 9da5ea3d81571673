"""How fast it is: SCIM requests beside the bare API server in the same run, and how soon a leaver is out."""
