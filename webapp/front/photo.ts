// One photo's page: arrow keys leaf through; a video that has no plain file yet gets its stream.
import { attach } from "./video";

const film = document.querySelector<HTMLVideoElement>("#film");
if (film?.dataset["hls"] && !film.querySelector('source[type="video/mp4"]')) {
  void attach(film, { hls: film.dataset["hls"] });
}

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target instanceof HTMLVideoElement) return;
  const way = { ArrowLeft: "#previous", ArrowRight: "#next" }[event.key];
  if (way) document.querySelector<HTMLAnchorElement>(way)?.click();
});
