// Lines, terminal sequences, and what turns the direction of writing.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A text of visible characters, as it is shown in one line, whoever wrote it: each control character becomes a space. */
export function oneLine(text: string, replace: (control: string) => string = () => ' '): string {
  return text.replace(CONTROLS, replace)
}

/** A text of somebody else's without what it may have from a request of ours, with and without the name of its scheme. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => [secret, secret.replace(/^\w+ +/, '')])
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .reduce((rest, secret) => rest.replaceAll(secret, '…'), text)
}

// What is shorter is no secret, and may be any word.
const SHORTEST_SECRET = 4
