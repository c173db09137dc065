// One photo's page: arrow keys leaf through; a video that has no plain file yet gets its stream.
import { watchHearts } from "./heart";
import { attach } from "./video";

watchHearts();

const film = document.querySelector<HTMLVideoElement>("#film");
if (film?.dataset["hls"] && !film.querySelector('source[type="video/mp4"]')) {
  void attach(film, { hls: film.dataset["hls"] });
}

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target instanceof HTMLVideoElement) return;
  if (event.target instanceof HTMLTextAreaElement) return; // Arrows move in what is being written.
  const way = { ArrowLeft: "#previous", ArrowRight: "#next" }[event.key];
  if (way) document.querySelector<HTMLAnchorElement>(way)?.click();
});
