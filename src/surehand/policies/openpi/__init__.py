"""openpi's websocket protocol on both sides: its servers as policies, any policy as its server."""
