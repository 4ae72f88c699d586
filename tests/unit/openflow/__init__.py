"""The packed encoder, the text of flows and the connection, against os-ken and against scripted peers."""
