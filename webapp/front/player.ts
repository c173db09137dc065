// A film's controls: the browser's own show no pictures of what is ahead. Without this script they serve instead.
import { Storyboard } from "./storyboard";
import { say } from "./words";

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  sound: "M4 9v6h4l5 4V5L8 9H4zm12.5 3a4 4 0 0 0-2-3.5v7a4 4 0 0 0 2-3.5z",
  quiet: "M4 9v6h4l5 4V5L8 9H4zm11.5.5 5 5m0-5-5 5",
  captions: "M4 6h16v12H4zM7 11h4v2H7zM13 11h4v2h-4z",
  full: "M5 5h5v2H7v3H5zM14 5h5v5h-2V7h-3zM5 14h2v3h3v2H5zM17 14h2v5h-5v-2h3z",
};

export function dress(video: HTMLVideoElement, storyboard?: string | undefined): HTMLElement {
  const player = document.createElement("div");
  player.className = "player";
  const bar = document.createElement("div");
  bar.className = "player-bar";
  bar.dir = "ltr"; // Time runs from left to right in every script's players.
  video.controls = false;
  video.replaceWith(player);
  bar.append(playButton(video), seekBar(video, storyboard), clock(video), soundButton(video), captionsButton(video));
  if (document.fullscreenEnabled) bar.append(fullButton(video, player));
  player.append(video, bar);
  video.addEventListener("click", () => toggle(video));
  const still = () => player.toggleAttribute("data-playing", !video.paused);
  for (const event of ["play", "pause", "ended"]) video.addEventListener(event, still);
  return player;
}

export function toggle(video: HTMLVideoElement): void {
  if (video.paused) void video.play().catch(() => undefined);
  else video.pause();
}

function icon(button: HTMLButtonElement, name: keyof typeof ICONS): void {
  button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
}

function button(label: string, name: keyof typeof ICONS, act: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "player-button";
  made.setAttribute("aria-label", label);
  made.title = label;
  icon(made, name);
  made.addEventListener("click", act);
  return made;
}

function playButton(video: HTMLVideoElement): HTMLButtonElement {
  const made = button(say("play"), "play", () => toggle(video));
  const draw = () => {
    icon(made, video.paused ? "play" : "pause");
    made.setAttribute("aria-label", say(video.paused ? "play" : "pause"));
    made.title = made.getAttribute("aria-label") ?? "";
  };
  for (const event of ["play", "pause", "ended"]) video.addEventListener(event, draw);
  return made;
}

/** A slider over the film's seconds. Pointed at, or moved with the keys, it shows what is there. */
function seekBar(video: HTMLVideoElement, storyboard?: string | undefined): HTMLElement {
  const box = document.createElement("div");
  box.className = "player-seek";
  const slider = Object.assign(document.createElement("input"), { type: "range", min: "0", step: "0.1", value: "0" });
  slider.setAttribute("aria-label", say("seek"));
  const preview = document.createElement("div");
  preview.className = "player-preview";
  preview.hidden = true;
  const board = storyboard ? new Storyboard(storyboard) : undefined;
  const look = (seconds: number) => {
    if (!board || !video.duration) return;
    preview.style.setProperty("--at", String(Math.max(0, Math.min(1, seconds / video.duration))));
    void board.draw(preview, seconds);
  };
  const draw = () => {
    slider.max = String(video.duration || 0);
    slider.value = String(video.currentTime);
    slider.style.setProperty("--done", `${video.duration ? (video.currentTime / video.duration) * 100 : 0}%`);
    slider.setAttribute("aria-valuetext", `${written(video.currentTime)} / ${written(video.duration)}`);
  };
  slider.addEventListener("input", () => {
    video.currentTime = Number(slider.value);
    look(video.currentTime);
  });
  slider.addEventListener("pointermove", (event) => {
    const { left, width } = slider.getBoundingClientRect();
    look(((event.clientX - left) / width) * video.duration);
  });
  slider.addEventListener("focus", () => slider.matches(":focus-visible") && look(video.currentTime));
  for (const event of ["pointerleave", "blur"]) slider.addEventListener(event, () => (preview.hidden = true));
  for (const event of ["timeupdate", "durationchange", "seeked"]) video.addEventListener(event, draw);
  draw();
  box.append(slider, preview);
  return box;
}

function clock(video: HTMLVideoElement): HTMLElement {
  const shown = document.createElement("span");
  shown.className = "player-clock";
  shown.setAttribute("aria-hidden", "true"); // The slider says it.
  const draw = () => (shown.textContent = `${written(video.currentTime)} / ${written(video.duration)}`);
  for (const event of ["timeupdate", "durationchange"]) video.addEventListener(event, draw);
  draw();
  return shown;
}

function soundButton(video: HTMLVideoElement): HTMLButtonElement {
  const made = button(say("mute"), "sound", () => (video.muted = !video.muted));
  video.addEventListener("volumechange", () => {
    icon(made, video.muted ? "quiet" : "sound");
    made.setAttribute("aria-pressed", String(video.muted));
  });
  made.setAttribute("aria-pressed", String(video.muted));
  return made;
}

/** Shown once the film turns out to have captions, in a track of its own or within its stream. */
function captionsButton(video: HTMLVideoElement): HTMLButtonElement {
  const tracks = () => Array.from(video.textTracks).filter(({ kind }) => kind === "captions" || kind === "subtitles");
  const made = button(say("captions"), "captions", () => {
    const on = tracks().some(({ mode }) => mode === "showing");
    tracks().forEach((track, place) => (track.mode = !on && place === 0 ? "showing" : "disabled"));
    draw();
  });
  const draw = () => {
    made.hidden = tracks().length === 0;
    made.setAttribute("aria-pressed", String(tracks().some(({ mode }) => mode === "showing")));
  };
  for (const event of ["addtrack", "removetrack", "change"]) video.textTracks.addEventListener(event, draw);
  draw();
  return made;
}

function fullButton(video: HTMLVideoElement, player: HTMLElement): HTMLButtonElement {
  return button(say("full-screen"), "full", () => {
    const asked = document.fullscreenElement ? document.exitFullscreen() : player.requestFullscreen();
    void asked.catch(() => video.requestFullscreen().catch(() => undefined));
  });
}

/** 0:07, 12:30, 1:02:03. */
function written(seconds: number): string {
  const whole = Number.isFinite(seconds) ? Math.floor(seconds) : 0;
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : String(part))).join(":");
}
