import { oneLine } from './one-line.ts'

/** A problem of an input, and the field that has it. */
export interface FieldProblem {
  path: readonly PropertyKey[]
  message: string
}

/** Problems that an error lists. */
export const MAX_LISTED = 5

// An error has at most 1,000 characters: more of one field or message is not worth reading.
const MAX_FIELD = 200
const MAX_TEXT = 1000

/**
 * The first five problems of an input, each with its field: `data: Invalid input: expected record; type: …`. On one line,
 * because it is the `detail` of a problem document.
 *
 * @param count of all problems, if only the first are given
 */
export function listProblems(problems: readonly FieldProblem[], count = problems.length): string {
  const shown = problems.slice(0, MAX_LISTED).map(({ path, message }) => {
    const field = fieldOf(path)
    return `${field}${field === '' ? '' : ': '}${oneLine(message.slice(0, MAX_TEXT))}`
  })
  return `${count > MAX_LISTED ? `${count} problems, of which the first: ` : ''}${shown.join('; ')}`
}

/** For example `[0].channels[2]`; of the whole input nothing. */
export function fieldOf(path: readonly PropertyKey[]): string {
  const parts = path.map((part) => (typeof part === 'number' ? `[${part}]` : oneLine(String(part).slice(0, MAX_FIELD))))
  const [first = '', ...rest] = parts
  return [first, ...rest.map((part) => (part.startsWith('[') ? part : `.${part}`))].join('').slice(0, MAX_FIELD)
}
