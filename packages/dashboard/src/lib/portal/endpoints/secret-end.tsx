import { EngineError, type EndpointSecret } from '@keepsend/engine'
import { breakable } from '../../parts/breakable.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { pageNeeding } from '../not-allowed.tsx'
import type { PortalAction, PortalVisit } from '../portal-visit.ts'

const PATH = '/endpoints/:id/secret/end/:version'

/** The confirmation that an old secret ends before its time. */
export const portalSecretEndPage = pageNeeding('secrets:write', {
  path: PATH,
  section: 'endpoints',
  async show(visit) {
    const { engine, workspaceId, reader, param } = visit
    const { text, link, times } = reader
    const { id, url } = await engine.endpoints.get(workspaceId, param('id'))
    const { scheme, version, expiresAt } = await oldSecret(visit, visit.query('scheme'))
    const title = text('portal.end_title')
    const back = link('endpoints', id, 'secret')
    const main = (
      <form class="page-mid" method="post" action={link('endpoints', id, 'secret', 'end', String(version))}>
        <FormToken reader={reader} />
        <input type="hidden" name="scheme" value={scheme} />
        <h1>{title}</h1>
        <p>
          {text.rich('portal.end_what', {
            version,
            url: <span class="mono">{breakable(url)}</span>,
            time: times.whole(expiresAt),
          })}
        </p>
        <ul class="list plain-list">
          <li>{text('portal.end_then')}</li>
          <li>{text('portal.end_kept')}</li>
        </ul>
        <div class="row">
          <button class="btn primary danger">{text('portal.end_verb')}</button>
          <a class="btn" href={back}>
            {text('portal.end_keep')}
          </a>
        </div>
      </form>
    )
    return { title, main }
  },
})

export const portalSecretEndAction: PortalAction = {
  path: PATH,
  needs: 'secrets:write',
  async act(sent) {
    const { engine, workspaceId, reader, param, field, by } = sent
    const { scheme, version } = await oldSecret(sent, field('scheme'))
    await engine.endpoints.endSecret(workspaceId, param('id'), { version, scheme, by })
    return reader.link('endpoints', param('id'), 'secret')
  },
}

/** @throws {EngineError} `not_found` if no old secret has the version of the path */
async function oldSecret(
  { engine, workspaceId, param }: PortalVisit,
  scheme: string | undefined,
): Promise<EndpointSecret & { expiresAt: number }> {
  const { id, signatures } = await engine.endpoints.get(workspaceId, param('id'))
  const wanted = scheme ?? signatures[0]
  const secrets = await engine.endpoints.secrets(workspaceId, id)
  const found = secrets.find((one) => one.scheme === wanted && String(one.version) === param('version'))
  if (!found || found.expiresAt === null) throw new EngineError('not_found', 'no old secret has this version')
  return { ...found, expiresAt: found.expiresAt }
}
