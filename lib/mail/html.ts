/** Markup that may be sent as it is: only `html` makes it. */
export class Markup {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Template tag: text that is put in is escaped, for content and for quoted attributes; markup is not again. */
export function html(
  strings: TemplateStringsArray,
  ...values: readonly (string | Markup | readonly Markup[])[]
): Markup {
  const rendered = values.map(value => {
    if (typeof value === 'string') return value.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
    return [value]
      .flat()
      .map(({ source }) => source)
      .join('')
  })
  return new Markup(String.raw({ raw: strings }, ...rendered))
}
