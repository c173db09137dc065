// ThumbHash placeholders: a blurred hint of the photo behind it until it has loaded.
import { thumbHashToDataURL } from "thumbhash";

export function paintPlaceholders(within: ParentNode): void {
  for (const link of within.querySelectorAll<HTMLElement>("a[data-thumbhash]")) {
    const image = link.querySelector("img");
    const hash = link.dataset["thumbhash"];
    if (!hash || !image || image.complete || !link.parentElement) continue;
    try {
      const bytes = Uint8Array.from(atob(hash), (c) => c.charCodeAt(0));
      link.parentElement.style.backgroundImage = `url(${thumbHashToDataURL(bytes)})`;
      image.addEventListener("load", () => link.parentElement?.style.removeProperty("background-image"), { once: true });
    } catch {
      // A hash that cannot be read leaves the dominant colour.
    }
  }
}
