// Lines, terminal sequences, and what turns the direction of writing.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A text of visible characters, as it is shown in one line, whoever wrote it: each control character becomes a space. */
export function oneLine(text: string, replace: (control: string) => string = () => ' '): string {
  return text.replace(CONTROLS, replace)
}
