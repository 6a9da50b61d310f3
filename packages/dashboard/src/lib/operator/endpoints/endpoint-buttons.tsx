import type { Endpoint } from '@keepsend/engine'
import { Icon, type IconName } from '../../parts/icon.tsx'
import type { Reader } from '../../reader/reader.ts'

/** The actions on an endpoint: the likely next step in the open, the rest in a menu. */
export function EndpointButtons({ endpoint, reader }: { endpoint: Endpoint; reader: Reader }) {
  const { text, link, canAct } = reader
  const { workspaceId, id, status, circuit, pausedUntil } = endpoint
  if (!canAct) return null
  const to = (...path: string[]): string => link('endpoints', workspaceId, id, ...path)
  const isOpen = status === 'enabled' && circuit === 'open'
  const isHealthy = status === 'enabled' && circuit === 'closed'
  return (
    <>
      <a class="btn" href={link('replays', 'new', { workspace: workspaceId, endpoint: id })}>
        <Icon name="replay" />
        {text('delivery.replay')}
      </a>
      {status === 'enabled' && pausedUntil !== null ? (
        <button class="btn" form="act" name="do" value="resume">
          <Icon name="play" />
          {text('endpoint.resume')}
        </button>
      ) : null}
      <details class="menu">
        <summary class="btn icon" aria-label={text('more')}>
          <Icon name="more" />
        </summary>
        <ul>
          <MenuLink href={to('edit')} icon="edit" label={text('endpoint.edit')} />
          <MenuLink href={to('secrets')} icon="key" label={text('endpoint.secrets')} />
          {isHealthy ? null : <MenuLink href={to('test')} icon="test" label={text('endpoint.test')} />}
          {status === 'disabled' ? null : (
            <>
              <MenuLink href={to('pause')} icon="pause" label={`${text('endpoint.pause')}…`} />
              <MenuLink href={to('disable')} icon="off" label={`${text('endpoint.disable')}…`} />
            </>
          )}
          <MenuLink href={to('delete')} icon="trash" label={`${text('endpoint.delete')}…`} isDanger />
        </ul>
      </details>
      {isOpen ? (
        <button class="btn primary" form="act" name="do" value="probe" data-key="r">
          <Icon name="send" />
          {text('endpoint.probe')}
        </button>
      ) : status === 'disabled' ? (
        <button class="btn primary" form="act" name="do" value="enable" data-key="r">
          <Icon name="on" />
          {text('endpoint.enable')}
        </button>
      ) : (
        <a class="btn primary" href={to('test')} data-key="r">
          <Icon name="test" />
          {text('endpoint.test')}
        </a>
      )}
    </>
  )
}

function MenuLink({ href, icon, label, isDanger }: { href: string; icon: IconName; label: string; isDanger?: true }) {
  return (
    <li>
      <a href={href} class={isDanger ? 'failed tone' : undefined}>
        <Icon name={icon} />
        {label}
      </a>
    </li>
  )
}
