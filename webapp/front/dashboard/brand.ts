// The preview follows the form while it is filled in.

export function previewBrand(): void {
  const form = document.getElementById("brand-form") as HTMLFormElement | null;
  if (!form) return;
  const pages = [...document.querySelectorAll<HTMLElement>("[data-preview]")];
  const text = form.elements.namedItem("accent") as HTMLInputElement;
  const picker = document.getElementById("accent-picker") as HTMLInputElement;
  picker.hidden = false;

  const words = (field: string, target: string): void => {
    const input = form.elements.namedItem(field) as HTMLInputElement;
    input.addEventListener("input", () => {
      for (const page of pages) page.querySelector(target)!.textContent = input.value;
    });
  };
  words("name", "[data-preview-name]");
  words("tagline", "[data-preview-tagline]");

  const colour = (value: string): void => {
    for (const page of pages) {
      page.style.setProperty("--preview-accent", value);
      page.style.setProperty("--preview-ink-on", inkOn(value));
    }
  };
  picker.addEventListener("input", () => colour((text.value = picker.value)));
  text.addEventListener("input", () => {
    if (/^#[0-9a-f]{6}$/i.test(text.value)) colour((picker.value = text.value.toLowerCase()));
  });
  document.querySelector<HTMLButtonElement>("[data-accent]")?.addEventListener("click", (event) => {
    event.preventDefault();
    text.value = picker.value = (event.currentTarget as HTMLElement).dataset["accent"]!;
    colour(text.value);
    text.removeAttribute("aria-invalid");
  });
  const choice = (name: string): string => String(new FormData(form).get(name));
  const face = (): void => {
    for (const page of pages) page.style.setProperty("--preview-font", `"Choice ${choice("font")}"`);
  };
  const theme = (): void => {
    for (const page of pages) page.hidden = !["auto", page.dataset["preview"]].includes(choice("theme"));
  };
  form.addEventListener("change", () => {
    face();
    theme();
  });
  const logo = form.elements.namedItem("logo") as HTMLInputElement;
  logo.addEventListener("change", () => {
    const file = logo.files?.[0];
    if (!file) return;
    const address = URL.createObjectURL(file);
    for (const image of document.querySelectorAll<HTMLImageElement>("[data-preview-logo]")) {
      image.src = address;
      image.hidden = false;
    }
  });
  colour(text.value);
  face();
  theme();
}

/** White or near-black, as the server picks it (webapp/brand.py). */
function inkOn(background: string): string {
  const luminance = (hex: string): number => {
    const [red, green, blue] = [1, 3, 5]
      .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)) as [number, number, number];
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (ink: string): number => {
    const [dark, light] = [luminance(ink), luminance(background)].sort((a, b) => a - b) as [number, number];
    return (light + 0.05) / (dark + 0.05);
  };
  return contrast("#ffffff") >= contrast("#16181b") ? "#ffffff" : "#16181b";
}
