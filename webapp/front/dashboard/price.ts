// What an upload would add to the month's bill, asked before it begins.
import { json, Refused } from "./request";

interface Price {
  /** Minor units of the plan's currency; 0 for what the plan includes. */
  amount: number;
  text: string;
  /** What it means for the budget; empty as a rule. */
  note: string;
}

export interface Asked extends Price {
  /** They are not uploaded after all. */
  drop(): void;
}

const VIDEO = /\.(mkv|mts|m2ts|ts|mov|avi|webm|mp4|m4v)$/i;
/** Videos that are opened for their length; of more, and of those the browser cannot read, it follows from the size. */
const MOST_OPENED = 12;
const OPENED_FOR = 2000;
/** 16 Mbit/s, which phones film at. */
const BYTES_A_SECOND = 2_000_000;

/** All that was picked on this page, so that the second hundred photos know of the first. */
export class Prices {
  private photos = 0;
  private bytes = 0;
  private seconds = 0;

  constructor(private readonly address: string) {}

  /** The price with these files added; null if it cannot be told, which keeps nobody from uploading. */
  async with(files: File[]): Promise<Asked | null> {
    const videos = files.filter(isVideo);
    const lengths = await Promise.all(videos.map((file, place) => length(file, place)));
    const seconds = Math.ceil(lengths.reduce((sum, one) => sum + one, 0));
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    const add = (sign: 1 | -1): void => {
      this.photos += sign * (files.length - videos.length);
      this.bytes += sign * bytes;
      this.seconds += sign * seconds;
    };
    add(1);
    const query = new URLSearchParams(
      Object.entries({ photos: this.photos, bytes: this.bytes, seconds: this.seconds }).map(([name, value]) => [name, String(value)]),
    );
    try {
      return { ...(await json<Price>(`${this.address}?${query}`)), drop: () => add(-1) };
    } catch (error) {
      if (error instanceof Refused) return null;
      throw error;
    }
  }
}

const isVideo = (file: File): boolean => file.type.startsWith("video/") || VIDEO.test(file.name);

function length(file: File, place: number): Promise<number> {
  const guess = file.size / BYTES_A_SECOND;
  if (place >= MOST_OPENED) return Promise.resolve(guess);
  const address = URL.createObjectURL(file);
  const film = document.createElement("video");
  return new Promise<number>((resolve) => {
    setTimeout(() => resolve(guess), OPENED_FOR);
    film.addEventListener("loadedmetadata", () => resolve(Number.isFinite(film.duration) ? film.duration : guess));
    film.addEventListener("error", () => resolve(guess));
    film.preload = "metadata";
    film.src = address;
  }).finally(() => {
    film.removeAttribute("src");
    URL.revokeObjectURL(address);
  });
}
