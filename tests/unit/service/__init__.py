"""The grammar engine, the renderers, sessions and the client, without a daemon."""
