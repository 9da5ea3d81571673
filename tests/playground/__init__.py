"""The demo's system left running, to try things on: `make up`, `make down`, `make -s token-for USER=name`."""
