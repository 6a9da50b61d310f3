import type { z } from '@hono/zod-openapi'
import { oneLine } from '../formats/one-line.ts'

type Issue = z.ZodError['issues'][number]

interface Problem {
  path: readonly PropertyKey[]
  message: string
}

const SHOWN = 5

/**
 * The first five problems of an input, each with its field: `data: Invalid input: expected record; type: …`. On one line,
 * because it is the `detail` of a problem document.
 */
export function describeProblems({ issues }: z.ZodError): string {
  const problems = issues.flatMap((issue) => problemsOf(issue, []))
  const shown = problems.slice(0, SHOWN).map(({ path, message }) => `${nameOf(path)}${message}`)
  const count = problems.length > SHOWN ? `${problems.length} problems, of which the first: ` : ''
  return `${count}${shown.join('; ')}`
}

/** For an input that may have several forms: the problems with the closest one. */
function problemsOf(issue: Issue, parent: readonly PropertyKey[]): Problem[] {
  const path = [...parent, ...issue.path]
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ path, message: oneLine(issue.message) }]
  const [closest = []] = [...issue.errors].sort((one, other) => distance(one) - distance(other))
  return closest.flatMap((inner) => problemsOf(inner, path))
}

/** A different type or form name counts as farther than any number of invalid fields. */
function distance(issues: readonly Issue[]): number {
  return issues.some(isAnotherForm) ? Infinity : issues.length
}

function isAnotherForm({ code, path }: Issue): boolean {
  return (code === 'invalid_type' && path.length === 0) || (code === 'invalid_value' && path.join('.') === 'object')
}

/** For example `[0].channels[2]: `. */
function nameOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return ''
  const [first, ...rest] = path.map((part) => (typeof part === 'number' ? `[${part}]` : oneLine(String(part))))
  return `${[first, ...rest.map((part) => (part.startsWith('[') ? part : `.${part}`))].join('')}: `
}
