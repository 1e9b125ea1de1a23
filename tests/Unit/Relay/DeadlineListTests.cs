using ChannelServer.Relay;
using CsCheck;

namespace ChannelServer.Tests.Relay;

public sealed class DeadlineListTests
{
    [Fact]
    public void Any_appends_moves_and_removals_keep_the_order_of_a_sorted_model() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 7]).Array[0, 200].Sample(steps =>
        {
            DeadlineList<Item, Item.Link> list = new(new Item());
            Item[] items = [.. Enumerable.Range(0, 8).Select(_ => new Item())];
            List<(Item Item, TimeSpan Due)> model = [];
            TimeSpan now = TimeSpan.Zero;
            foreach ((int action, int index) in steps)
            {
                Item item = items[index];
                if (action == 0)
                {
                    now += TimeSpan.FromSeconds(index);
                    while (list.TryTakeDue(now, out Item due))
                    {
                        Assert.Same(model[0].Item, due);
                        Assert.True(model[0].Due <= now);
                        model.RemoveAt(0);
                    }
                    Assert.DoesNotContain(model, entry => entry.Due <= now);
                }
                else if (action == 1)
                {
                    DeadlineList<Item, Item.Link>.Remove(item);
                    model.RemoveAll(entry => entry.Item == item);
                }
                else
                {
                    list.Append(item, now + TimeSpan.FromSeconds(10));
                    model.RemoveAll(entry => entry.Item == item);
                    model.Add((item, now + TimeSpan.FromSeconds(10)));
                }
                Assert.Equal(model.Count, list.Count());
                Assert.Equal(model.Count == 0 ? TimeSpan.MaxValue : model[0].Due, list.NextDue);
            }
            foreach ((Item expected, _) in model)
            {
                Assert.True(list.TryTakeFirst(out Item first));
                Assert.Same(expected, first);
            }
            Assert.False(list.TryTakeFirst(out _));
        }, iter: 500);

    [Fact]
    public void An_item_moves_from_one_list_to_another()
    {
        DeadlineList<Item, Item.Link> one = new(new Item());
        DeadlineList<Item, Item.Link> other = new(new Item());
        Item item = new();
        one.Append(item, TimeSpan.FromSeconds(1));
        other.Append(item, TimeSpan.FromSeconds(2));
        Assert.Equal(0, one.Count());
        Assert.Equal(1, other.Count());
    }

    [Fact]
    public void A_deadline_before_the_last_one_is_a_bug_that_shows()
    {
        DeadlineList<Item, Item.Link> list = new(new Item());
        list.Append(new Item(), TimeSpan.FromSeconds(2));
        Assert.Throws<InvariantException>(() => list.Append(new Item(), TimeSpan.FromSeconds(1)));
    }

    private sealed class Item
    {
        private DeadlineLink<Item> _link;

        public readonly struct Link : IDeadlineLink<Item>
        {
            public static ref DeadlineLink<Item> Of(Item item) => ref item._link;
        }
    }
}
