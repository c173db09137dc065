// What the lightbox shows, read from the tiles: the page's markup is the only list of photos there is.
import type { SlideData } from "photoswipe";

export interface Slide extends SlideData {
  link: HTMLAnchorElement;
  hls?: string | undefined;
  mp4?: string | undefined;
  storyboard?: string | undefined;
}

export function links(grid: HTMLElement): HTMLAnchorElement[] {
  return Array.from(grid.querySelectorAll<HTMLAnchorElement>("a[data-open]"));
}

export function slide(link: HTMLAnchorElement, calm: boolean): Slide {
  const data = link.dataset;
  const image = link.querySelector("img");
  const common = {
    link,
    width: Number(data["width"]),
    height: Number(data["height"]),
    alt: image?.alt ?? "",
    element: link,
  };
  if (data["video"] !== undefined) {
    return { ...common, type: "film", src: data["large"] ?? "", hls: data["hls"], mp4: data["mp4"], storyboard: data["storyboard"] };
  }
  const preview = image?.complete && image.currentSrc ? { msrc: image.currentSrc } : {};
  if (data["animated"] && !calm) return { ...common, ...preview, src: data["animated"] };
  return { ...common, ...preview, src: data["large"] ?? "", srcset: srcset(link) };
}

/** The format that the browser chose for the tiles, at every width. */
function srcset(link: HTMLAnchorElement): string {
  const grid = link.closest("#grid");
  const chosen = Array.from(grid?.querySelectorAll("img") ?? [], (image) => image.currentSrc).find(Boolean) ?? "";
  const suffix = chosen.slice(chosen.lastIndexOf("."));
  for (const source of link.querySelectorAll("source")) {
    if (source.srcset.includes(`${suffix} `)) return source.srcset;
  }
  return link.querySelector("img")?.srcset ?? "";
}
