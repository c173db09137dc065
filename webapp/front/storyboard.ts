// Pictures of a film's moments, cut from one sprite: WebVTT cues that name an area each (`#xywh=`, W3C Media Fragments).
export interface Moment {
  end: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

export function parse(text: string, base: string): Moment[] {
  const cues = /-->\s*(?:(\d+):)?(\d+):(\d+\.\d+)[^\n]*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;
  return Array.from(text.matchAll(cues), (cue) => {
    const [x, y, width, height] = cue.slice(5, 9).map(Number) as [number, number, number, number];
    const end = Number(cue[1] ?? 0) * 3600 + Number(cue[2]) * 60 + Number(cue[3]);
    return { end, url: new URL(cue[4] ?? "", base).href, x, y, width, height };
  });
}

/** Loads the cues when first asked for; draws the moment of a time into an element of its size. */
export class Storyboard {
  private moments: Promise<Moment[]> | undefined;

  constructor(private readonly address: string) {}

  async draw(element: HTMLElement, seconds: number): Promise<void> {
    this.moments ??= fetch(this.address)
      .then((answer) => (answer.ok ? answer.text() : ""))
      .then((text) => parse(text, new URL(this.address, location.href).href))
      .catch(() => []);
    const moments = await this.moments;
    const moment = moments.find(({ end }) => seconds < end) ?? moments.at(-1);
    element.hidden = !moment;
    if (!moment) return;
    const { url, x, y, width, height } = moment;
    Object.assign(element.style, {
      width: `${width}px`,
      height: `${height}px`,
      backgroundImage: `url(${url})`,
      backgroundPosition: `-${x}px -${y}px`,
    });
  }
}
