// Line breaks, control characters of terminals, and marks that change the direction of text.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** The text on one line: each control character becomes a space. */
export function oneLine(text: string, replace: (control: string) => string = () => ' '): string {
  return text.replace(CONTROLS, replace)
}
