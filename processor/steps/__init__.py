"""One file a step; `photo.PIPELINE` and `video.PIPELINE` are lists of them."""
