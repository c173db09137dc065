// The slideshow: the next photo every few seconds, a film to its end. It waits while nobody can be watching.
import type PhotoSwipe from "photoswipe";
import { isTyping } from "./keys";
import { say } from "./words";

const SECONDS = [3, 5, 10, 20];
const USUAL = 5;
const KEPT = "slideshow-seconds";
const ICONS = {
  play: '<svg aria-hidden="true" class="pswp__icn" viewBox="0 0 32 32" width="32" height="32"><path d="M11 8v16l13-8z"/></svg>',
  pause:
    '<svg aria-hidden="true" class="pswp__icn" viewBox="0 0 32 32" width="32" height="32"><path d="M10 8h4v16h-4zM18 8h4v16h-4z"/></svg>',
};

export function installSlideshow(box: PhotoSwipe): void {
  const show = new Slideshow(box);
  box.on("uiRegister", () => {
    box.ui?.registerElement({
      name: "slideshow-button",
      ariaLabel: say("slideshow"),
      title: say("slideshow-key"),
      order: 6,
      isButton: true,
      html: ICONS.play,
      onInit: (button) => show.shownBy(button),
      onClick: () => show.toggle(),
    });
    box.ui?.registerElement({
      name: "interval",
      order: 5,
      isButton: false,
      onInit: (element) => show.timedBy(element),
    });
  });
  box.on("keydown", (event) => {
    const { originalEvent } = event;
    const onControl = originalEvent.target instanceof HTMLButtonElement || isTyping(originalEvent.target);
    if (originalEvent.key !== " " || onControl) return;
    event.preventDefault();
    originalEvent.preventDefault();
    const film = current(box);
    if (film && !show.running) void (film.paused ? film.play() : film.pause());
    else show.toggle();
  });
  box.on("change", () => show.plan());
  box.on("close", () => show.stop());
  const seen = () => show.plan();
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("focusin", seen);
  box.on("destroy", () => {
    document.removeEventListener("visibilitychange", seen);
    document.removeEventListener("focusin", seen);
  });
}

/** The film of the present slide, if it is one. */
function current(box: PhotoSwipe): HTMLVideoElement | null {
  const element: unknown = box.currSlide?.content.element;
  return element instanceof HTMLElement ? element.querySelector("video") : null;
}

/** What was chosen last time; nothing where storage is refused, as in another site's frame. */
function kept(): number | undefined {
  try {
    return SECONDS.find((seconds) => String(seconds) === localStorage.getItem(KEPT));
  } catch {
    return undefined;
  }
}

function keep(seconds: string): void {
  try {
    localStorage.setItem(KEPT, seconds);
  } catch {
    // It holds for this time, then.
  }
}

class Slideshow {
  running = false;
  private timer = 0;
  private seconds = kept() ?? USUAL;
  private button: HTMLElement | undefined;
  private interval: HTMLElement | undefined;
  private film: HTMLVideoElement | null = null;
  private readonly filmEnded = () => this.step();

  constructor(private readonly box: PhotoSwipe) {}

  shownBy(button: HTMLElement): void {
    this.button = button;
    button.setAttribute("aria-pressed", "false");
  }

  timedBy(element: HTMLElement): void {
    this.interval = element;
    element.hidden = true;
    const menu = document.createElement("select");
    menu.setAttribute("aria-label", say("slideshow-interval"));
    for (const seconds of SECONDS) {
      menu.append(new Option(say("seconds", { count: seconds }), String(seconds), false, seconds === this.seconds));
    }
    menu.addEventListener("change", () => {
      this.seconds = Number(menu.value);
      keep(menu.value);
      this.plan();
    });
    element.append(menu);
  }

  toggle(): void {
    if (this.running) this.stop();
    else this.start();
  }

  private start(): void {
    this.running = true;
    this.draw();
    this.plan();
  }

  stop(): void {
    this.running = false;
    this.plan();
    this.draw();
  }

  /** Set the time of the next step, if there is to be one. */
  plan(): void {
    clearTimeout(this.timer);
    this.film?.removeEventListener("ended", this.filmEnded);
    this.film = null;
    if (!this.running || this.waits()) return;
    this.film = current(this.box);
    if (this.film) {
      this.film.addEventListener("ended", this.filmEnded);
      // Where sound may not start by itself the film is shown without.
      this.film.play().catch(() => {
        if (!this.film) return;
        this.film.muted = true;
        void this.film.play().catch(() => undefined);
      });
      return;
    }
    this.timer = window.setTimeout(() => this.step(), this.seconds * 1000);
  }

  /** Nobody watches a hidden page, and nobody wants to lose what they are reading or setting. */
  private waits(): boolean {
    const focused = document.activeElement;
    return document.visibilityState === "hidden" || Boolean(focused?.closest(".pswp__details, .pswp__interval"));
  }

  private step(): void {
    if (this.box.currIndex < this.box.getNumItems() - 1) this.box.next();
    else this.stop();
  }

  private draw(): void {
    if (!this.button || !this.interval) return;
    this.button.innerHTML = this.running ? ICONS.pause : ICONS.play;
    this.button.setAttribute("aria-pressed", String(this.running));
    this.interval.hidden = !this.running;
  }
}
