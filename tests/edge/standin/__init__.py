"""What a CDN edge does as the client of an origin. Read it in this order: main, viewer, refusals, policy, origin,
websocket; http1 and errors serve those."""
