import type { Child } from 'hono/jsx'
import { Icon } from './icon.tsx'

/** Says to a control what describes it, and that it is wrong. @param id of the control; `by` the ids of what describes it anyway */
export function described(id: string, { problem, by }: { problem: Problem | undefined; by?: string | undefined }) {
  const ids = [by, problem === undefined ? undefined : `${id}-err`].filter((one) => one !== undefined)
  return {
    'aria-describedby': ids.length === 0 ? undefined : ids.join(' '),
    'aria-invalid': problem === undefined ? undefined : ('true' as const),
  }
}

/** What is wrong with a control: in the language of the reader, or in the English of the engine. */
export type Problem = string | { english: string }

/** What is wrong with the control of this id. */
export function FieldProblem({ id, problem }: { id: string; problem: Problem | undefined }) {
  return problem === undefined ? null : (
    <p class="err" id={`${id}-err`}>
      <Icon name="failed" />
      <ProblemText problem={problem} />
    </p>
  )
}

/** A problem, whose language a screen reader is told where it is not that of the page. */
export function ProblemText({ problem }: { problem: Problem }) {
  return typeof problem === 'string' ? <span>{problem}</span> : <span lang="en">{problem.english}</span>
}

/** A text that is typed, with its name and what is wrong with it. */
export function TextField({
  id,
  label,
  about,
  value,
  problem,
  max,
  ...rest
}: {
  /** Also its name. */
  id: string
  label: Child
  about?: string
  value: string
  problem?: Problem | undefined
  max?: number
  placeholder?: string
  inputmode?: 'numeric'
}) {
  return (
    <div class="field">
      <label for={id}>
        {label}
        {about === undefined ? null : <span class="opt"> {about}</span>}
      </label>
      <input
        id={id}
        name={id}
        value={value}
        maxlength={max}
        spellcheck={false}
        {...rest}
        {...described(id, { problem })}
      />
      <FieldProblem id={id} problem={problem} />
    </div>
  )
}
