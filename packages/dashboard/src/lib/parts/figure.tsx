import type { Child } from 'hono/jsx'

/** A large number with its name, and a line about it. */
export function Figure({ name, about, children }: { name: string; about?: string; children: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="big">{children}</dd>
      {about === undefined ? null : <dd class="xs dim">{about}</dd>}
    </div>
  )
}
