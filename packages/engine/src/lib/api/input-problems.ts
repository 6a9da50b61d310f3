import type { z } from '@hono/zod-openapi'
import { type FieldProblem, listProblems } from '../formats/listed-problems.ts'

type Issue = z.ZodError['issues'][number]

/** The first five problems of an input: see {@link listProblems}. */
export function describeProblems({ issues }: z.ZodError): string {
  return listProblems(issues.flatMap((issue) => problemsOf(issue, [])))
}

/** For an input that may have several forms: the problems with the closest one. */
function problemsOf(issue: Issue, parent: readonly PropertyKey[]): FieldProblem[] {
  const path = [...parent, ...issue.path]
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ path, message: issue.message }]
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
