import { model, Schema } from 'mongoose'

/** What a capture asks of a project. */
const schema = new Schema(
  {
    projectId: { type: String, required: true },
    ownerId: Schema.Types.ObjectId,
    domains: { type: [String], default: undefined },
    phoneCountry: String,
  },
  { collection: 'widgetconfigs', versionKey: false },
)

export const WidgetConfig = model('WidgetConfig', schema)
