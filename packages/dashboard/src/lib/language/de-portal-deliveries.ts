import type { enPortalDeliveries } from './en-portal-deliveries.ts'
import type { Messages } from './text.ts'

/** The texts of the portal about deliveries in German. */
export const dePortalDeliveries = {
  'portal.column_answer': 'Antwort',
  'portal.column_sent': 'Gesendet, {zone}',
  'portal.on_hold': 'Angehalten',
  'portal.no_delivered': 'Zustellungen, die angekommen sind, werden nicht festgehalten.',
  'portal.no_id_why': 'Eine Id beginnt mit evt_. Sie ist die webhook-id einer Anfrage.',
  'portal.no_history': 'Versuche werden nicht festgehalten, deshalb ist nur der letzte Fehler bekannt.',
  'portal.no_body': 'Es ist kein Body gespeichert.',
  'portal.request': 'An Sie gesendet',
  'portal.response': 'Ihre Antwort',
  'portal.not_repeated':
    'Eine Antwort mit 4xx bedeutet „nicht wiederholen“, deshalb haben wir es nicht noch einmal versucht.',
  'portal.how_to_check': 'So werden Signaturen geprüft',

  'portal.failing_since': '{error} seit {time}',
  'portal.failed_since': {
    one: '{n} Zustellung ist seit {time} fehlgeschlagen',
    other: '{n} Zustellungen sind seit {time} fehlgeschlagen',
  },
  'portal.failed_more_since': {
    one: 'Mehr als {n} Zustellung ist seit {time} fehlgeschlagen',
    other: 'Mehr als {n} Zustellungen sind seit {time} fehlgeschlagen',
  },
  'portal.refused_since': {
    one: '{n} Zustellung wurde seit {time} mit {status} abgelehnt',
    other: '{n} Zustellungen wurden seit {time} mit {status} abgelehnt',
  },
  'portal.last_error': 'Der letzte Fehler war „{name}“.',
  'portal.rotated':
    'Der Signaturschlüssel wurde gewechselt: {time}. Hinterlegen Sie den neuen auf allen Ihren Servern, und lassen Sie Ihren Code jede Signatur einer Anfrage prüfen. {way}',
  'portal.rotated_way': 'So wird geprüft',
  'portal.waiting': { one: '{n} Zustellung wartet.', other: '{n} Zustellungen warten.' },
  'portal.waiting_more': {
    one: 'Mehr als {n} Zustellung wartet.',
    other: 'Mehr als {n} Zustellungen warten.',
  },
  'portal.open_then':
    'Ihr Endpunkt schlägt immer wieder fehl, deshalb versuchen wir nur jeweils eine Zustellung. Die anderen verlieren keinen Versuch. Sobald eine gelingt, folgen sie.',
  'portal.limited': 'Zustellungen warten wegen Ihres Rate-Limits',
  'portal.limited_then':
    'Das Limit dieses Endpunkts ist {rate}. Weitere Zustellungen warten und verlieren keinen Versuch.',

  'portal.first': 'Hierher wurde noch nichts gesendet',
  'portal.first_secret': 'Den Schlüssel auf Ihrem Server hinterlegen',
  'portal.first_secret_how': 'Er signiert jede Anfrage. Sie finden ihn unter {way}.',
  'portal.first_check': 'Die Signatur prüfen',
  'portal.first_check_how': 'Für die meisten Sprachen gibt es eine Bibliothek: {way}.',
  'portal.first_check_way': 'so werden Signaturen geprüft',
  'portal.first_test_how': 'Sehen Sie, was Ihr Server antwortet.',

  'portal.disabled_failing': 'Deaktiviert: {span} lang war keine Anfrage erfolgreich',
  'portal.disabled_failed': 'Deaktiviert: Keine Anfrage war erfolgreich',
  'portal.disabled_gone': 'Deaktiviert: Ihr Server hat mit 410 Gone geantwortet',
  'portal.disabled_receiver_requested': 'Deaktiviert: Ihr Server hat darum gebeten',
  'portal.disabled_by_you': 'Sie haben diesen Endpunkt deaktiviert',
  'portal.disabled_by_sender': '{sender} hat diesen Endpunkt deaktiviert',
  'portal.failed_between': 'Von {from} bis {to} ist jede Anfrage an Ihren Server fehlgeschlagen.',
  'portal.disabled_at': 'Er ist deaktiviert seit {time}.',
  'portal.collects': 'Auch neue Ereignisse warten, bis {time}. Spätere Ereignisse werden nicht gesammelt.',
  'portal.ask_sender': 'Bitten Sie {sender}, ihn zu aktivieren.',
  'portal.back_in_steps': 'So geht es weiter',
  'portal.step_answer': 'Den Server antworten lassen',
  'portal.step_2xx': 'Lassen Sie ihn mit 200 oder 204 antworten.',
  'portal.step_asked': 'Seine Antwort enthielt den Header webhook-delivery: disable. Entfernen Sie den Header.',
  'portal.step_test': 'Er geht auch hinaus, während der Endpunkt deaktiviert ist.',
  'portal.step_enable': 'Den Endpunkt aktivieren',
  'portal.step_order': 'Die wartenden Zustellungen gehen in Gruppen hinaus, die ältesten zuerst.',
  'portal.step_takes': 'Bei Ihrem Limit ({rate}) dauert das etwa {span}.',
  'portal.enable_and_send': { one: 'Aktivieren und {n} senden', other: 'Aktivieren und {n} senden' },
  'portal.enable_and_send_all': 'Aktivieren und alle senden',
  'portal.may_not_enable': 'Ihr Link erlaubt es nicht, ihn zu aktivieren.',

  'portal.send_again': 'Erneut senden',
  'portal.send_again_n': { one: '{n} erneut senden', other: '{n} erneut senden' },
  'portal.send_all_again': 'Alle erneut senden',
  'portal.send_again_ask': { one: '{n} Zustellung erneut senden?', other: '{n} Zustellungen erneut senden?' },
  'portal.send_more_again_ask': {
    one: 'Mehr als {n} Zustellung erneut senden?',
    other: 'Mehr als {n} Zustellungen erneut senden?',
  },
  'portal.nothing_again': 'Es gibt nichts erneut zu senden',
  'portal.what_failed': 'Fehlgeschlagene Zustellungen',
  'portal.what_missed': 'Alles Verpasste',
  'portal.of_failed': 'Alle, die an {host} seit {time} fehlgeschlagen sind.',
  'portal.of_missed':
    'Alles, was {host} seit {time} verpasst hat: fehlgeschlagene Zustellungen, und Ereignisse, die nicht gesammelt wurden, während der Endpunkt deaktiviert war.',
  'portal.no_missed':
    'Ereignisse werden nicht festgehalten, deshalb lassen sich nur fehlgeschlagene Zustellungen erneut senden.',
  'portal.since': 'Seit {time}',
  'portal.again_ids': 'Sie behalten ihre {name}, damit Sie jene überspringen können, die Sie schon haben.',
  'portal.again_left_out': 'Ausgelassen werden jene, die schon unterwegs oder nicht mehr gespeichert sind.',
  'portal.again_order': 'Neue Ereignisse haben Vorrang.',
  'portal.again_takes': 'Es dauert etwa {span}.',
  'portal.not_now': 'Nicht jetzt',
  'portal.not_yet': 'Das ist noch keine Stunde her',
  'portal.once_an_hour': 'Zustellungen eines Endpunkts lassen sich einmal je Stunde erneut senden.',
  'portal.next_again': 'Das nächste Mal ist um {time} möglich, in {span}.',
  'portal.again_done': {
    one: '{n} Zustellung wurde wieder eingereiht: {time}',
    other: '{n} Zustellungen wurden wieder eingereiht: {time}',
  },
  'portal.again_skipped': { one: '{n} wurde ausgelassen.', other: '{n} wurden ausgelassen.' },
  'portal.again_running': 'Zustellungen werden erneut gesendet',
  'portal.again_progress': '{sent} von {planned} gesendet.',
  'portal.again_paused': 'Das ist pausiert.',
  'portal.again_endpoint_disabled': 'Sie warten, bis der Endpunkt aktiviert wird.',
  'portal.again_endpoint_paused': 'Sie warten, bis die Pause des Endpunkts endet.',
  'portal.again_circuit_open': 'Sie warten, bis der Endpunkt wieder antwortet.',
  'portal.again_endpoint_deleted': 'Der Endpunkt wurde gelöscht.',
} as const satisfies Pick<Messages, keyof typeof enPortalDeliveries>
