import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { findDelivery } from './find-delivery.ts'

/** A confirmation: giving up cannot be taken back by itself. */
export const giveUpPage: Page = {
  path: '/deliveries/:id/give-up',
  section: 'deliveries',
  async show(visit) {
    const { reader } = visit
    const { text, link } = reader
    const { delivery } = await findDelivery(visit)
    const title = text('give_up.title')
    const main = (
      <form class="page-mid" method="post" action={link('deliveries', delivery.id)}>
        <FormToken reader={reader} />
        <h1>{title}</h1>
        <p>
          {text.rich('give_up.what', {
            type: <span class="mono">{delivery.type}</span>,
            workspace: delivery.workspaceId,
          })}
        </p>
        <p class="dim">{text('give_up.then')}</p>
        <div class="row">
          <button class="btn danger primary" name="do" value="give-up">
            {text('delivery.give_up')}
          </button>
          <a class="btn" href={link('deliveries', delivery.id)}>
            {text('back')}
          </a>
        </div>
      </form>
    )
    return { title, main }
  },
}
