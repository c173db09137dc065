// Sentences come with the page, in its language (webapp/words.py). This fills them in.
type Word = string | Partial<Record<Intl.LDMLPluralRule, string>>;

const words: Record<string, Word> = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
const language = document.documentElement.lang;
const plural = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(language);

/** The sentence with its `%(name)s` filled in; numbers are written as the language does, `count` chooses the plural. */
export function say(key: string, values: Record<string, string | number> = {}): string {
  if (!(key in words)) console.error(`The page brought no word “${key}”.`);
  const word = words[key] ?? key;
  const text = typeof word === "string" ? word : (word[plural.select(Number(values["count"]))] ?? word.other ?? key);
  return text.replace(/%\((\w+)\)s/g, (_all, name: string) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? numbers.format(value) : value;
  });
}

export function percent(value: number): string {
  return new Intl.NumberFormat(language, { style: "percent" }).format(Math.floor(value) / 100);
}

/** Whether the page is read from right to left. */
export function mirrored(): boolean {
  return document.documentElement.dir === "rtl";
}
