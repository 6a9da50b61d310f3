const QUOTE = 34
const BACKSLASH = 92

/** Counts the brackets in the text, without recursion: the depth of the input has no bound yet. */
export function isDeeperThan(json: string, max: number): boolean {
  // Each level has an opening and a closing bracket.
  if (json.length < 2 * max) return false
  let depth = 0
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) {
      for (at++; json.charCodeAt(at) !== QUOTE; at++) if (json.charCodeAt(at) === BACKSLASH) at++
    } else if (code === 91 || code === 123) {
      if (++depth > max) return true
    } else if (code === 93 || code === 125) depth--
  }
  return false
}
