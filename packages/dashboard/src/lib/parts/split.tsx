import { Copy } from './copy.tsx'

const IDENT_END = 4
const MAX_END = 24

/** An id whose middle gives way where there is no room. The whole is in the document. */
function Ident({ id, href }: { id: string; href?: string }) {
  return <Split whole={id} start={id.slice(0, -IDENT_END)} end={id.slice(-IDENT_END)} href={href} kind="mid ident" />
}

/** An id with a button that copies it. */
export function CopiedIdent({ id, label, href }: { id: string; label: string; href?: string }) {
  return (
    <span class="cell">
      <Ident id={id} {...(href === undefined ? {} : { href })} />
      <Copy label={label} text={id} />
    </span>
  )
}

/** A URL without `https://`, split at its last `/` when what follows is short. */
export function ShownUrl({ url, href }: { url: string; href?: string }) {
  const shown = url.startsWith('https://') ? url.slice('https://'.length) : url
  const slash = shown.lastIndexOf('/')
  const at = slash > 0 && shown.length - slash <= MAX_END ? slash : Math.max(0, shown.length - 8)
  return <Split whole={url} start={shown.slice(0, at)} end={shown.slice(at)} href={href} kind="mid" />
}

function Split({
  whole,
  start,
  end,
  href,
  kind,
}: {
  whole: string
  start: string
  end: string
  href: string | undefined
  kind: string
}) {
  const parts = (
    <>
      <span>{start}</span>
      <span>{end}</span>
    </>
  )
  return href === undefined ? (
    <span class={kind} title={whole}>
      {parts}
    </span>
  ) : (
    <a class={kind} href={href} title={whole}>
      {parts}
    </a>
  )
}
