// Video slides: a player in the place of the picture, fed while it is the current slide.
import type PhotoSwipe from "photoswipe";
import { dress } from "./player";
import type { Slide } from "./slides";
import { attach } from "./video";
import { say } from "./words";

export function installFilms(box: PhotoSwipe): void {
  const detach = new WeakMap<HTMLVideoElement, () => void>();

  box.on("contentLoad", (event) => {
    const { content } = event;
    if (content.type !== "film") return;
    event.preventDefault();
    const video = document.createElement("video");
    video.playsInline = true;
    video.preload = "none";
    video.poster = content.data.src ?? "";
    video.setAttribute("aria-label", content.data.alt ?? say("video"));
    const player = dress(video, (content.data as Slide).storyboard);
    content.element = player as unknown as HTMLImageElement;
    content.state = "loaded";
    content.onLoaded();
  });

  box.on("contentActivate", ({ content }) => {
    const video = filmOf(content.element);
    if (!video || detach.has(video)) return;
    const { hls, mp4 } = content.data as Slide;
    detach.set(video, () => undefined);
    void attach(video, { hls, mp4 }).then((stop) => detach.set(video, stop));
  });

  const stop = (element: unknown) => {
    const video = filmOf(element);
    if (!video) return;
    video.pause();
    detach.get(video)?.();
    detach.delete(video);
  };
  box.on("contentDeactivate", ({ content }) => stop(content.element));
  box.on("contentDestroy", ({ content }) => stop(content.element));

  // The player's controls must not drag the slide, and its picture is a button, not a place to zoom.
  const isControl = (target: EventTarget | null) => target instanceof Element && target.closest(".player-bar") !== null;
  box.on("pointerDown", (event) => {
    if (isControl(event.originalEvent.target)) event.preventDefault();
  });
  for (const name of ["tapAction", "doubleTapAction", "imageClickAction"] as const) {
    box.on(name, (event) => {
      if (box.currSlide?.data.type === "film") event.preventDefault();
    });
  }
}

function filmOf(element: unknown): HTMLVideoElement | null {
  return element instanceof HTMLElement ? element.querySelector("video") : null;
}
