"""What has changed in the graph, followed and sent on as server-sent events."""
