// The lightbox: PhotoSwipe over the page's tiles, with videos, captions, capture data and an address for each photo.
import PhotoSwipe from "photoswipe";
import { installFilms } from "./films";
import { installHeart } from "./heart";
import { installKeys, isTyping } from "./keys";
import { loadMore } from "./scroll";
import { links, slide, type Slide } from "./slides";
import { installSlideshow } from "./slideshow";
import { say } from "./words";

const NEAR_END = 5;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export function open(grid: HTMLElement, first: HTMLAnchorElement): void {
  const slides = links(grid).map((link) => slide(link, calm.matches));
  const box = new PhotoSwipe({
    dataSource: slides,
    index: slides.findIndex((item) => item.link === first),
    bgOpacity: 1,
    loop: false,
    wheelToZoom: true,
    paddingFn: ({ x }) => ({ top: x < 700 ? 56 : 64, bottom: x < 700 ? 72 : 72, left: x < 700 ? 0 : 72, right: x < 700 ? 0 : 72 }),
    showHideAnimationType: calm.matches ? "none" : "zoom",
    zoomAnimationDuration: calm.matches ? false : 250,
    returnFocus: false,
    closeTitle: say("close"),
    zoomTitle: say("zoom"),
    arrowPrevTitle: say("previous"),
    arrowNextTitle: say("next"),
    errorMsg: say("picture-lost"),
  });
  installFilms(box);
  installAddress(box);
  installCaption(box);
  installDetails(box);
  installDownload(box, grid);
  installHeart(box, grid);
  installGrowth(box, grid, slides);
  installPlace(box);
  installKeys(box);
  installSlideshow(box);
  box.on("afterInit", () => box.element?.setAttribute("aria-label", document.title));
  box.on("destroy", () => current(box)?.link.focus({ preventScroll: false }));
  box.init();
}

function current(box: PhotoSwipe): Slide | undefined {
  return box.currSlide?.data as Slide | undefined;
}

/** Each photo has its own address while it is open; Back closes the box. */
function installAddress(box: PhotoSwipe): void {
  let left = false;
  const leave = () => {
    left = true;
    // While it opens, PhotoSwipe lets nobody close it.
    if (box.opener.isOpen) box.close();
    else box.on("openingAnimationEnd", () => box.close());
  };
  box.on("firstUpdate", () => {
    history.pushState({ lightbox: true }, "", current(box)?.link.href ?? "");
    addEventListener("popstate", leave);
  });
  box.on("change", () => {
    const link = current(box)?.link;
    if (link && history.state?.lightbox) history.replaceState(history.state, "", link.href);
  });
  box.on("close", () => {
    removeEventListener("popstate", leave);
    if (!left) history.back();
  });
}

function installCaption(box: PhotoSwipe): void {
  box.on("uiRegister", () =>
    box.ui?.registerElement({
      name: "caption",
      order: 9,
      isButton: false,
      appendTo: "root",
      onInit: (element) => {
        box.on("change", () => {
          element.textContent = current(box)?.link.dataset["caption"] ?? "";
        });
      },
    }),
  );
}

/** Says where one is and what is there, to screen readers: "Photo 3 of 200, caption". */
function installPlace(box: PhotoSwipe): void {
  box.on("uiRegister", () =>
    box.ui?.registerElement({
      name: "place",
      className: "visually-hidden",
      isButton: false,
      appendTo: "root",
      onInit: (element) => {
        element.setAttribute("role", "status");
        box.on("change", () => {
          const slide = current(box);
          const all = Math.max(Number(document.querySelector<HTMLElement>("#grid")?.dataset["total"]), box.getNumItems());
          const key = slide?.type === "film" ? "video-place" : "photo-place";
          const caption = slide?.link.dataset["caption"] ?? "";
          const place = say(key, { place: box.currIndex + 1, all: all || box.getNumItems() });
          element.textContent = caption ? say("place-caption", { place, caption }) : place;
        });
      },
    }),
  );
}

/** A panel with the capture data, by button or the key "i". */
function installDetails(box: PhotoSwipe): void {
  box.on("uiRegister", () => {
    box.ui?.registerElement({
      name: "details-button",
      ariaLabel: say("details"),
      title: say("details-key"),
      order: 8,
      isButton: true,
      html: '<svg aria-hidden="true" class="pswp__icn" viewBox="0 0 32 32" width="32" height="32"><path d="M16 6a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm0 2a8 8 0 1 1 0 16 8 8 0 0 1 0-16Zm-1 3v2h2v-2h-2Zm0 4v6h2v-6h-2Z"/></svg>',
      onInit: (button) => button.setAttribute("aria-expanded", "false"),
      onClick: () => toggle(),
    });
    box.ui?.registerElement({
      name: "details",
      isButton: false,
      appendTo: "root",
      onInit: (panel) => {
        panel.setAttribute("role", "region");
        panel.setAttribute("aria-label", say("details"));
        panel.hidden = true;
        box.on("change", () => panel.hidden || void fill(panel));
      },
    });
  });
  box.on("keydown", ({ originalEvent }) => {
    if (originalEvent.key === "i" && !isTyping(originalEvent.target) && !originalEvent.ctrlKey && !originalEvent.metaKey) toggle();
  });

  const toggle = () => {
    const panel = box.element?.querySelector<HTMLElement>(".pswp__details");
    const button = box.element?.querySelector(".pswp__button--details-button");
    if (!panel || !button) return;
    panel.hidden = !panel.hidden;
    button.setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden) void fill(panel);
  };

  const fill = async (panel: HTMLElement) => {
    const link = current(box)?.link;
    if (!link) return;
    const answer = await fetch(`${link.href}/details`).catch(() => undefined);
    if (current(box)?.link !== link) return; // Leafed on meanwhile.
    panel.innerHTML = answer?.ok ? await answer.text() : `<p>${say("details-lost")}</p>`;
  };
}

function installDownload(box: PhotoSwipe, grid: HTMLElement): void {
  if (grid.dataset["download"] === undefined) return;
  box.on("uiRegister", () =>
    box.ui?.registerElement({
      name: "download-button",
      ariaLabel: say("download"),
      title: say("download"),
      order: 7,
      isButton: true,
      tagName: "a",
      html: '<svg aria-hidden="true" class="pswp__icn" viewBox="0 0 32 32" width="32" height="32"><path d="M15 7h2v9.2l3.6-3.6 1.4 1.4-6 6-6-6 1.4-1.4 3.6 3.6V7ZM8 23h16v2H8z"/></svg>',
      onInit: (element) => {
        const link = element as HTMLAnchorElement;
        link.setAttribute("download", "");
        box.on("change", () => {
          link.href = `${current(box)?.link.href}/original`;
        });
      },
    }),
  );
}

/** Leafing towards the end brings the next page, as scrolling does. */
function installGrowth(box: PhotoSwipe, grid: HTMLElement, slides: Slide[]): void {
  box.on("change", async () => {
    if (box.currIndex < slides.length - NEAR_END) return;
    await loadMore(grid);
    if (box.isDestroying) return;
    // Scrolling may have brought tiles as well: whatever follows the last known one is new.
    const all = links(grid);
    const end = slides.length;
    const following = all.slice(all.indexOf(slides[end - 1]?.link as HTMLAnchorElement) + 1);
    if (following.length === 0) return;
    slides.push(...following.map((link) => slide(link, calm.matches)));
    box.refreshSlideContent(end);
    box.dispatch("change");
  });
}
