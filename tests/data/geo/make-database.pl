#!/usr/bin/perl
# Writes the test databases that source.json describes, into the current directory.
# Needs MaxMind's writer: apt-get install libmaxmind-db-writer-perl
use strict;
use warnings;

use JSON::PP;
use MaxMind::DB::Writer::Tree;

# A fixed date of build, so that the same source gives the same bytes.
my $epoch = 1_735_689_600;    # 2025-01-01

my %types = (
    city         => 'map',
    country      => 'map',
    iso_code     => 'utf8_string',
    latitude     => 'double',
    location     => 'map',
    longitude    => 'double',
    names        => 'map',
    subdivisions => [ 'array', 'map' ],
);

open my $in, '<:raw', 'source.json' or die "source.json: $!";
my $source = JSON::PP->new->utf8->decode( do { local $/; <$in> } );
close $in;

# A name too long to write out is given as REPEAT:text:times.
sub expand {
    my ($value) = @_;
    if ( ref $value eq 'HASH' )  { return { map { $_ => expand( $value->{$_} ) } keys %$value } }
    if ( ref $value eq 'ARRAY' ) { return [ map { expand($_) } @$value ] }
    return $1 x $2 if $value =~ /^REPEAT:(.*):(\d+)$/;
    return $value;
}

# The first address of an IPv4 network, as a number, and how many it has.
sub block {
    my ($network) = @_;
    my ( $address, $prefix ) = split m{/}, $network;
    return ( unpack( 'N', pack( 'C4', split /\./, $address ) ), 2**( 32 - $prefix ) );
}

for my $database ( @{ $source->{databases} } ) {
    my $tree = MaxMind::DB::Writer::Tree->new(
        ip_version               => $database->{ip_version},
        record_size              => 24,
        database_type            => $database->{type},
        languages                => $database->{languages},
        description              => { en => 'Test data of the channel server: invented networks, real names' },
        alias_ipv6_to_ipv4       => $database->{ip_version} == 6 ? 1 : 0,
        remove_reserved_networks => 0,    # the networks for documentation are all that is used
        map_key_type_callback    => sub { $types{ $_[0] } // 'utf8_string' },
    );
    $tree->_set_build_epoch($epoch);
    my %networks = %{ $database->{networks} };
    my $blocks   = $database->{each_address} // {};
    for my $block ( keys %$blocks ) {
        my ( $first, $count ) = block($block);
        my @names = @{ $blocks->{$block} };
        $networks{ join( '.', unpack( 'C4', pack( 'N', $first + $_ ) ) ) . '/32' } = $names[ $_ % @names ] for 0 .. $count - 1;
    }
    for my $network ( sort keys %networks ) {
        my $name = $networks{$network};
        my $record = $source->{records}{$name} // die "no record '$name'";
        $tree->insert_network( $network, expand($record) );
    }
    open my $out, '>:raw', $database->{file} or die "$database->{file}: $!";
    $tree->write_tree($out);
    close $out or die "$database->{file}: $!";
    print "$database->{file}\n";
}
