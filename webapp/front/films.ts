// Video slides: a player in the place of the picture, fed while it is the current slide.
import type PhotoSwipe from "photoswipe";
import type { Slide } from "./slides";
import { attach } from "./video";
import { say } from "./words";

const CONTROLS_HEIGHT = 90;

export function installFilms(box: PhotoSwipe): void {
  const detach = new WeakMap<HTMLVideoElement, () => void>();

  box.on("contentLoad", (event) => {
    const { content } = event;
    if (content.type !== "film") return;
    event.preventDefault();
    const video = document.createElement("video");
    video.controls = true;
    video.playsInline = true;
    video.preload = "none";
    video.poster = content.data.src ?? "";
    video.setAttribute("aria-label", content.data.alt ?? say("video"));
    content.element = video as unknown as HTMLImageElement;
    content.state = "loaded";
    content.onLoaded();
  });

  box.on("contentActivate", ({ content }) => {
    const video = content.element as unknown;
    if (!(video instanceof HTMLVideoElement) || detach.has(video)) return;
    const { hls, mp4 } = content.data as Slide;
    detach.set(video, () => undefined);
    void attach(video, { hls, mp4 }).then((stop) => detach.set(video, stop));
  });

  const stop = (element: unknown) => {
    if (!(element instanceof HTMLVideoElement)) return;
    element.pause();
    detach.get(element)?.();
    detach.delete(element);
  };
  box.on("contentDeactivate", ({ content }) => stop(content.element));
  box.on("contentDestroy", ({ content }) => stop(content.element));

  // The player's own controls must not drag the slide.
  box.on("pointerDown", (event) => {
    const { target, clientY } = event.originalEvent;
    if (target instanceof HTMLVideoElement && clientY > target.getBoundingClientRect().bottom - CONTROLS_HEIGHT) {
      event.preventDefault();
    }
  });
}
