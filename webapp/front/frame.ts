// Inside a frame: tells the embedding page how high the content is. The height is no secret, so it is told to whichever
// page is there; which page that may be is the business of frame-ancestors.
if (window.parent !== window) {
  const tell = () =>
    window.parent.postMessage({ type: "album-height", height: document.documentElement.getBoundingClientRect().height }, "*");
  new ResizeObserver(tell).observe(document.documentElement);
  tell();
}
