// <vitrine-album src="https://photos.example.com/a/summer"><a href="…">Summer</a></vitrine-album>
//
// Shows an album in other people's pages: a frame in a shadow tree, made when the element comes near the screen, as high as
// its content. The link inside is what is seen until the frame speaks up, and for good where it cannot be shown.
// Attributes: src (an album's address, or the one of an embedding), theme (light, dark), photos (how many), height (CSS
// pixels; without it the content decides), label (the frame's accessible name).
(() => {
  const NAME = "vitrine-album";
  if (customElements.get(NAME)) return;

  const STYLE = `:host{display:block}:host([hidden]){display:none}
    iframe{display:block;width:100%;height:0;border:0;color-scheme:normal}`;

  /** The frame's address for what `src` names; undefined for what is no album's address. */
  function frameAddress(src: string | null): URL | undefined {
    let address: URL;
    try {
      address = new URL(src ?? "", location.href);
    } catch {
      return undefined;
    }
    if (!/^https?:$/.test(address.protocol)) return undefined;
    const path = address.pathname.replace(/^\/a\//, "/embed/");
    if (!path.startsWith("/embed/")) return undefined;
    return new URL(path, address.origin);
  }

  class Album extends HTMLElement {
    static observedAttributes = ["src", "theme", "photos", "height", "label"];
    private readonly tree = this.attachShadow({ mode: "open" });
    private near: IntersectionObserver | undefined;
    private frame: HTMLIFrameElement | undefined;

    connectedCallback(): void {
      window.addEventListener("message", this.hear);
      this.begin();
    }

    disconnectedCallback(): void {
      window.removeEventListener("message", this.hear);
      this.near?.disconnect();
      this.frame = undefined;
    }

    attributeChangedCallback(): void {
      if (this.isConnected) this.begin();
    }

    private begin(): void {
      this.near?.disconnect();
      this.frame = undefined;
      this.tree.innerHTML = `<style>${STYLE}</style><slot></slot>`;
      this.near = new IntersectionObserver(
        (entries) => {
          if (!entries.some((entry) => entry.isIntersecting)) return;
          this.near?.disconnect();
          this.load();
        },
        { rootMargin: "400px" },
      );
      this.near.observe(this);
    }

    private load(): void {
      const address = frameAddress(this.getAttribute("src"));
      if (!address) return;
      for (const name of ["theme", "photos"]) {
        const value = this.getAttribute(name);
        if (value) address.searchParams.set(name, value);
      }
      const frame = document.createElement("iframe");
      frame.title = this.getAttribute("label") || this.textContent?.trim() || "Album";
      frame.referrerPolicy = "strict-origin-when-cross-origin";
      frame.allow = "fullscreen";
      frame.src = address.href;
      this.frame = frame;
      this.tree.append(frame);
    }

    private readonly hear = (event: MessageEvent): void => {
      const { frame } = this;
      // Only this element's frame, and only while it shows a page of the site that it was sent to.
      if (!frame || event.source !== frame.contentWindow || event.origin !== new URL(frame.src).origin) return;
      const told = event.data as { type?: unknown; height?: unknown } | null;
      if (told?.type !== "album-height" || typeof told.height !== "number" || !(told.height > 0)) return;
      const fixed = Number(this.getAttribute("height"));
      frame.style.height = `${fixed > 0 ? fixed : Math.min(Math.ceil(told.height), 20_000)}px`;
      const slot = this.tree.querySelector("slot");
      if (slot && !slot.hidden) {
        slot.hidden = true;
        slot.style.display = "none";
        this.dispatchEvent(new Event("load"));
      }
    };
  }

  customElements.define(NAME, Album);
})();
