// One photo's page: arrow keys leaf through; a video that has no plain file yet gets its stream.
import { watchHearts } from "./heart";
// One photo's page: arrow keys leaf through, in the direction of reading; a video gets its controls and its stream.
import { isTyping } from "./keys";
import { dress, toggle } from "./player";
import { attach } from "./video";
import { mirrored } from "./words";

watchHearts();

const film = document.querySelector<HTMLVideoElement>("#film");
if (film) {
  dress(film, film.dataset["storyboard"]);
  if (film.dataset["hls"] && !film.querySelector('source[type="video/mp4"]')) {
    void attach(film, { hls: film.dataset["hls"] });
  }
}

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
  const [left, right] = mirrored() ? ["#next", "#previous"] : ["#previous", "#next"];
  const way = { ArrowLeft: left, ArrowRight: right }[event.key];
  if (way) document.querySelector<HTMLAnchorElement>(way)?.click();
  const onControl = event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement;
  if (event.key === " " && film && !onControl) {
    event.preventDefault();
    toggle(film);
  }
});
